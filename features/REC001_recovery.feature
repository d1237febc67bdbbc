@promise-4
Feature: REC001 Recovery is the kernel's or the engine's
  A crash ends the container at once and says what it was, unless the deployment leaves recovery to the kernel.

  Background:
    Given a board with the processors m3-0 and m3-1

  @needs-crash-kinds
  Scenario Outline: A crash by <kind>
    Given the container pump runs on m3-0
    When the processor crashes by <kind> under pump
    Then the end of pump is known within 150 ms
    And pump has ended with status 139
    And the reason given for pump is "m3-0: crashed: <kind>"
    And m3-0 is off

    Examples:
      | kind        |
      | mmufault    |
      | watchdog    |
      | fatal error |

  @needs-kernel-recovery
  Scenario: Left to the kernel, a crash does not end the container
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    When the processor crashes under pump and is recovered
    Then m3-0 runs pump
    And the status of pump is running

  @needs-kernel-recovery @needs-kernel-log
  Scenario: Each recovery is told
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    When the processor crashes under pump 3 times and is recovered each time
    Then the runtime remarks 3 times on pump: "m3-0: crashed"
    And m3-0 runs pump

  @needs-kernel-recovery
  Scenario: What recovered firmware prints is logged, too
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    And pump has printed tick 2
    When the processor crashes under pump and is recovered
    Then pump prints 2 times hello from cortex-m3

  @needs-kernel-recovery
  Scenario: Firmware that was recovered can be stopped
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    And the processor crashed under pump and was recovered
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And m3-0 is off
