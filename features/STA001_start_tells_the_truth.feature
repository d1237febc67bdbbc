@promise-2
Feature: STA001 Start tells the truth
  A start returns when the processor runs, or fails with the driver's reason and leaves the processor unchanged.

  Background:
    Given a board with the processors m3-0 and m3-1

  @spec:runtime.md#start
  Scenario: The processor runs when the start has returned
    Given the container pump was created for m3-0
    When the operator starts pump
    Then it succeeds
    And m3-0 runs pump
    And the status of pump is running

  Scenario: A start that the driver refuses fails with the driver's reason
    Given the processor m3-0 refuses to start with EIO
    And the container pump was created for m3-0
    When the operator starts pump
    Then it is refused: "cannot start processor m3-0: Input/output error (EIO)"
    And m3-0 is off
    And the status of pump is created

  Scenario: A refused start does not prevent the next start
    Given the processor m3-0 refuses to start with ENOMEM
    And the container pump was created for m3-0
    And the container fan was created for m3-0
    When the operator starts pump and fan, one after the other
    Then both are refused: "ENOMEM"
    And m3-0 is off

  @spec:runtime.md#start
  Scenario: A second start changes nothing
    Given the container pump runs on m3-0
    When the operator starts pump
    Then it is refused: "cannot start container pump: it is running"
    And m3-0 runs pump

  @spec:runtime.md#start
  Scenario: A stopped container does not start again
    Given the container pump ran on m3-0 and is stopped
    When the operator starts pump
    Then it is refused: "cannot start container pump: it is stopped"
    And the refusal names delete
    And m3-0 is off

  Scenario: A container that does not exist does not start
    When the operator starts pump
    Then it is refused: "container pump does not exist"
