@promise-4
Feature: REC001 Recovery by the engine or by the kernel
  A crash ends the container with its reason, unless the deployment asks the kernel to recover the processor.

  Background:
    Given a board with the processors m3-0 and m3-1
    And the configuration allows remoteproc.recovery = kernel

  Scenario Outline: A crash by <kind> ends the container
    Given the container pump runs on m3-0
    When the processor crashes by <kind> under pump
    Then pump ends before any command is given
    And m3-0 was off when pump ended
    And pump has ended with status 139
    And the reason given for pump is "m3-0: crashed: <kind>"
    And m3-0 is off

    Examples:
      | kind        |
      | mmufault    |
      | watchdog    |
      | fatal error |

  Scenario: With recovery by the kernel, a crash does not end the container
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    When the processor crashes under pump and is recovered
    Then m3-0 runs pump
    And the status of pump is running

  Scenario: Each recovery is reported
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    When the processor crashes under pump 3 times and is recovered each time
    Then the runtime reports 3 times on pump: "m3-0: crashed"
    And m3-0 runs pump

  Scenario: The output of recovered firmware is also logged
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    And pump has printed tick 2
    When the processor crashes under pump and is recovered
    Then pump prints 2 times hello

  Scenario: Recovered firmware can be stopped
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    And pump runs again after a crash that the kernel recovered
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And m3-0 is off
