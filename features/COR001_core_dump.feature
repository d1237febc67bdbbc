@promise-4
Feature: COR001 Core dumps
  The memory of a processor that crashed is saved if the deployment asks for a core dump.

  Background:
    Given a board with the processors m3-0 and m3-1
    And the configuration allows remoteproc.coredump = enabled

  Scenario: A core dump contains what the firmware printed
    Given the image is annotated with remoteproc.coredump = enabled
    And the container pump runs on m3-0
    And pump has printed tick 2
    When the processor crashes under pump
    Then pump has ended with status 139
    And a core dump is saved that contains hello
    And the runtime reports on pump: "core dump of"
    And m3-0 is off

  Scenario: By default, no core dump is saved
    Given the container pump runs on m3-0
    When the processor crashes under pump
    Then pump has ended with status 139
    And no core dump is saved
