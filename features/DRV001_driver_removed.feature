@promise-3
Feature: DRV001 Drivers can be removed
  When the driver is taken from a processor in use, its container ends and nothing is left of it.

  @needs-driver-unbinding
  Scenario: The driver is removed while firmware runs
    Given a board with the processors m3-0 and m3-1
    And the container pump runs on m3-0
    When the driver of m3-0 is removed
    Then pump has ended with status 139
    And the reason given for pump is "its driver was removed"
    And pump can be deleted

  @needs-driver-unbinding
  Scenario: The driver is removed before firmware is started
    Given a board with the processors m3-0 and m3-1
    And the container pump was created for m3-0
    And the driver of m3-0 was removed
    When the operator starts pump
    Then it is refused: "processor m3-0 has gone"
    And the status of pump is created
