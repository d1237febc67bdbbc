@promise-4
Feature: COR001 Core dumps
  The memory of a processor that crashed is kept if the deployment asks for it.

  Background:
    Given a board with the processors m3-0 and m3-1

  @needs-coredumps
  Scenario: A core dump has the firmware's last words in it
    Given the image is annotated with remoteproc.coredump = enabled
    And the container pump runs on m3-0
    And pump has printed tick 2
    When the processor crashes under pump
    Then pump has ended with status 139
    And a core dump is kept that holds hello from cortex-m3
    And the runtime remarks on pump: "core dump of"
    And m3-0 is off

  @needs-coredumps
  Scenario: Nobody asked for a core dump
    Given the container pump runs on m3-0
    When the processor crashes under pump
    Then pump has ended with status 139
    And no core dump is kept
