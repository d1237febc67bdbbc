@promise-6
Feature: OWN002 Other users of a processor
  Another user may start or stop a processor at any moment, and the runtime never takes that user's firmware for its own.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: A processor that another user is just starting is left alone
    Given the processor m3-0 takes 5 s to start
    And the container pump was created for m3-0
    And another user's start of m3-0 is in progress
    When the operator starts pump
    Then it is refused: "EBUSY"
    And m3-0 is left running
    And the status of pump is created

  Scenario: A container stops its processor even if another user has started it, too
    Given the container pump runs on m3-0
    And another user has told m3-0 to start, too
    When the operator stops pump
    Then it succeeds
    And m3-0 is off

  Scenario: A container ends when another user stops its processor
    Given the container pump runs on m3-0
    When another user stops m3-0
    Then pump has ended with status 0
    And pump can be deleted
