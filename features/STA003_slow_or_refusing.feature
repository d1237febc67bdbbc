@promise-2
Feature: STA003 Processors that are slow or refuse
  A command waits until the driver has finished, and reports the driver's refusal.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: A start returns when the processor runs, even after a long time
    Given the processor m3-0 takes 1.5 s to start
    And the container pump was created for m3-0
    When the operator starts pump
    Then it succeeds
    And it took 1.5 s or more
    And m3-0 runs pump

  Scenario: A container whose stop the driver refuses runs on
    Given the processor m3-0 refuses to stop with EBUSY
    And the container pump runs on m3-0
    When the operator stops pump
    Then it is refused: "EBUSY"
    And m3-0 runs pump
    And the status of pump is running

  Scenario: A stop succeeds after the driver refused an earlier one
    Given the processor m3-0 refuses to stop with EBUSY
    And the container pump runs on m3-0
    And an earlier stop of pump has failed
    And the processor m3-0 no longer refuses
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And m3-0 is off

  Scenario: A delete by force fails as long as the driver refuses to stop
    Given the processor m3-0 refuses to stop with EBUSY
    And the container pump runs on m3-0
    When the operator deletes pump by force
    Then it is refused: "EBUSY"
    And the refusal names release
    And m3-0 runs pump
    And the status of pump is running
