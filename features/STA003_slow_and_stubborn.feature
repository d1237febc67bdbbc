@promise-2
Feature: STA003 Slow and stubborn processors
  Commands take as long as the driver does, and say so when it refuses.

  Background:
    Given a board with the processors m3-0 and m3-1

  @needs-faults
  Scenario: A start returns when the processor runs, however long that takes
    Given the processor m3-0 takes 1.5 s to start
    And the container pump was created for m3-0
    When the operator starts pump
    Then it succeeds
    And it took 1.5 s or more
    And m3-0 runs pump

  @needs-repairs
  Scenario: A stop that the driver refuses
    Given the processor m3-0 refuses to stop with EBUSY
    And the container pump runs on m3-0
    When the operator stops pump
    Then it is refused: "EBUSY"
    And m3-0 runs pump
    And the status of pump is running

  @needs-repairs
  Scenario: A stop is refused once, and works later
    Given the processor m3-0 refuses to stop with EBUSY
    And the container pump runs on m3-0
    And the operator tried to stop pump in vain, and m3-0 is in order again
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And m3-0 is off
