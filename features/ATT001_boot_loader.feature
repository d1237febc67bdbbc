@promise-6
Feature: ATT001 Processors that the boot loader started
  Firmware that the boot loader started is left alone, replaced or kept, as the deployment says.

  Background:
    Given a board with the processors m4 and m7
    And the boot loader has started m4
    And the configuration allows remoteproc.attached = take and keep

  Scenario: By default, the boot loader's firmware is left alone
    Given the container pump was created for m4
    When the operator starts pump
    Then it is refused: "processor m4 is detached, and no container of ours runs there"
    And the boot loader's firmware is left running on m4
    And the status of pump is created

  Scenario: The deployment may replace the boot loader's firmware
    Given the image is annotated with remoteproc.attached = take
    When the operator deploys the image to m4 as pump
    Then it succeeds
    And m4 runs pump
    And pump prints hello

  Scenario: A processor whose firmware was replaced is off after the stop
    Given the image is annotated with remoteproc.attached = take
    And the container pump runs on m4
    When the operator stops pump
    Then it succeeds
    And m4 is off

  Scenario: The deployment may keep the boot loader's firmware
    Given the image is annotated with remoteproc.attached = keep
    When the operator deploys the image to m4 as pump
    Then it succeeds
    And m4 is attached for pump
    And the status of pump is running

  Scenario: The output of the boot loader's firmware is logged
    Given the image is annotated with remoteproc.attached = keep
    When the operator deploys the image to m4 as pump
    Then pump prints hello from the boot loader's
    And pump prints beat 3

  Scenario: Firmware that was kept runs on after the stop
    Given the image is annotated with remoteproc.attached = keep
    And the container pump runs on m4
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And the boot loader's firmware is left running on m4

  Scenario: Firmware that was kept runs on when the supervisor is killed
    Given the image is annotated with remoteproc.attached = keep
    And the container pump runs on m4
    When signal 9 kills the supervisor of pump
    Then pump has ended with status 137
    And the boot loader's firmware is left running on m4

  Scenario: A processor that is off has no firmware to keep
    Given the image is annotated with remoteproc.attached = keep
    And the container pump was created for m7
    When the operator starts pump
    Then it is refused: "processor m7 is offline: nothing runs there to attach to"
    And m7 is off
