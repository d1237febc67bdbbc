@promise-2 @promise-9
Feature: PUB001 Firmware files
  The kernel gets complete firmware files that do not change, and a start without such a file is refused with the reason.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: Without a firmware directory that can be written, a container is refused
    Given the firmware directory is read-only
    And an image whose firmware prints and runs on
    When the operator creates pump for m3-0
    Then it is refused: "no firmware directory of the kernel can be written"
    And the refusal names read-only file system
    And pump does not exist

  Scenario: Without room in the firmware directory, a start is refused
    Given the firmware directory is full
    And the container pump was created for m3-0
    When the operator starts pump
    Then it is refused: "No space left on device (ENOSPC)"
    And m3-0 is off
    And the status of pump is created

  Scenario: A firmware file is complete when it appears
    Given the container pump ran on m3-0 and is stopped
    And the firmware directory is watched
    When the operator deploys the image to m3-0 as fan
    Then every firmware file was complete when it appeared, and did not change
    And 1 firmware file appeared and 0 were removed

  Scenario: A firmware file does not change until it is removed after the stop
    Given the firmware directory is watched
    And the container pump runs on m3-0
    When the operator stops pump
    Then every firmware file was complete when it appeared, and did not change
    And 1 firmware file appeared and 1 was removed

  Scenario: A firmware file does not change when the kernel recovers the processor
    Given the configuration allows remoteproc.recovery = kernel
    And the image is annotated with remoteproc.recovery = kernel
    And the firmware directory is watched
    And the container pump runs on m3-0
    When the processor crashes under pump and is recovered
    Then every firmware file was complete when it appeared, and did not change
    And 1 firmware file appeared and 0 were removed
