@promise-7
Feature: ORP001 No orphans
  When signal 9 kills the supervisor, the processor is stopped and the container is reported as stopped.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: The processor is off
    Given the container pump runs on m3-0
    When signal 9 kills the supervisor of pump
    Then m3-0 is off

  Scenario: The container is reported as killed
    Given the container pump runs on m3-0
    When signal 9 kills the supervisor of pump
    Then pump has ended with status 137
    And the reason given for pump is "supervisor was killed"

  Scenario: The container can be deleted
    Given the container pump runs on m3-0
    When signal 9 kills the supervisor of pump
    Then pump can be deleted
    And pump does not exist

  Scenario: The processor is free for the next container
    Given the container pump runs on m3-0
    When signal 9 kills the supervisor of pump
    Then fan can be deployed to m3-0
    And m3-0 runs fan
    And the status of pump is stopped

  Scenario: A container that has not been started ends, too
    Given the container pump was created for m3-0
    When signal 9 kills the supervisor of pump
    Then pump has ended with status 137
    And pump can be deleted

  Scenario: Other containers run on
    Given the container pump runs on m3-0
    And the container fan runs on m3-1
    When signal 9 kills the supervisor of pump
    Then m3-0 is off
    And m3-1 runs fan
