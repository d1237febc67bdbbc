@promise-2 @promise-9
Feature: PUB001 Firmware files
  The kernel is given whole files that nobody changes, and a start that cannot give it one says why.

  Background:
    Given a board with the processors m3-0 and m3-1

  @needs-firmware-directories
  Scenario: The firmware directory is read-only
    Given the firmware directory is read-only
    And an image whose firmware prints and runs on
    When the operator creates pump for m3-0
    Then it is refused: "no firmware directory of the kernel can be written"
    And the refusal names read-only file system
    And pump does not exist

  @needs-firmware-directories
  Scenario: The firmware directory is full
    Given the firmware directory is full
    And the container pump was created for m3-0
    When the operator starts pump
    Then it is refused: "No space left on device (ENOSPC)"
    And m3-0 is off
    And the status of pump is created

  @needs-firmware-watch
  Scenario: A firmware file is whole when it appears, and never changes
    Given the firmware directory is watched
    And the container pump ran on m3-0 and was stopped
    When the operator deploys the image to m3-0 as fan
    Then every firmware file came whole and was not changed
    And 2 firmware files came and 1 went

  @needs-firmware-watch @needs-kernel-recovery
  Scenario: A firmware file stays as it is through a recovery
    Given the image is annotated with remoteproc.recovery = kernel
    And the firmware directory is watched
    And the container pump runs on m3-0
    When the processor crashes under pump and is recovered
    Then every firmware file came whole and was not changed
    And 1 firmware file came and 0 went
