@promise-6
Feature: ATT001 Processors that the boot loader started
  Firmware of the boot loader is left alone, taken over or kept, as the deployment says.

  Background:
    Given a board with the processors m4 and m7
    And the boot loader has started m4

  @needs-boot-loaders
  Scenario: Unless the deployment says so, it is left alone
    Given the container pump was created for m4
    When the operator starts pump
    Then it is refused: "processor m4 is detached, and no container of ours runs there"
    And the boot loader's firmware is left running on m4
    And the status of pump is created

  @needs-boot-loaders
  Scenario: It can be taken over
    Given the image is annotated with remoteproc.attached = take
    When the operator deploys the image to m4 as pump
    Then it succeeds
    And m4 runs pump
    And pump prints hello from cortex-m3

  @needs-boot-loaders
  Scenario: A processor that was taken over is off in the end
    Given the image is annotated with remoteproc.attached = take
    And the container pump runs on m4
    When the operator stops pump
    Then it succeeds
    And m4 is off

  @needs-boot-loaders
  Scenario: What runs there can be kept
    Given the image is annotated with remoteproc.attached = keep
    When the operator deploys the image to m4 as pump
    Then it succeeds
    And m4 is attached for pump
    And the status of pump is running

  @needs-boot-loaded-firmware
  Scenario: What the boot loader's firmware prints is logged
    Given the image is annotated with remoteproc.attached = keep
    When the operator deploys the image to m4 as pump
    Then pump prints hello from the boot loader's
    And pump prints beat 3

  @needs-boot-loaders
  Scenario: What was kept runs on in the end
    Given the image is annotated with remoteproc.attached = keep
    And the container pump runs on m4
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And the boot loader's firmware is left running on m4

  @needs-boot-loaders
  Scenario: What was kept runs on when the supervisor is killed
    Given the image is annotated with remoteproc.attached = keep
    And the container pump runs on m4
    When the supervisor of pump is killed outright
    Then pump has ended with status 137
    And the boot loader's firmware is left running on m4

  @needs-boot-loaders
  Scenario: Where nothing runs there is nothing to keep
    Given the image is annotated with remoteproc.attached = keep
    And the container pump was created for m7
    When the operator starts pump
    Then it is refused: "processor m7 is offline: nothing runs there to attach to"
    And m7 is off
