@promise-3
Feature: DRV001 Drivers can be removed
  When the driver of a processor is removed, the container on that processor ends and can be deleted.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: A container ends when the driver of its processor is removed
    Given the container pump runs on m3-0
    When the driver of m3-0 is removed
    Then pump has ended with status 139
    And the reason given for pump is "its driver was removed"
    And pump can be deleted

  Scenario: A processor that has lost its driver is not started
    Given the container pump was created for m3-0
    And m3-0 has no driver any more
    When the operator starts pump
    Then it is refused: "processor m3-0 has gone"
    And the status of pump is created
