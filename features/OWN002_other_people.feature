@promise-6
Feature: OWN002 Other people's hands on a processor
  Whatever others do to a processor at whatever moment, nobody's firmware is taken for somebody else's.

  Background:
    Given a board with the processors m3-0 and m3-1

  @needs-late-strangers @needs-faults
  Scenario: Somebody is in the middle of starting the processor
    Given the processor m3-0 takes 5 s to start
    And the container pump was created for m3-0
    And somebody is starting m3-0 by hand at this moment
    When the operator starts pump
    Then it is refused: "EBUSY"
    And m3-0 is left running
    And the status of pump is created

  @needs-late-strangers
  Scenario: A second start by hand does not keep the container from stopping its processor
    Given the container pump runs on m3-0
    And somebody started m3-0 by hand
    When the operator stops pump
    Then it succeeds
    And m3-0 is off

  @needs-late-strangers
  Scenario: Somebody stops the processor under a container
    Given the container pump runs on m3-0
    When somebody stops m3-0 by hand
    Then pump has ended with status 0
    And pump can be deleted
