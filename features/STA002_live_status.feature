@promise-3
Feature: STA002 Status is live
  A container's status follows its processor, whatever the firmware does.

  Background:
    Given a board with the processors m3-0 and m3-1

  @spec:runtime.md#state
  Scenario Outline: Firmware that <behaviour> stops its container
    Given an image whose firmware <behaviour>
    And the container pump runs on m3-0
    When the firmware of pump gives up
    Then the status of pump is stopped
    And m3-0 is off

    Examples:
      | behaviour            |
      | crashes              |
      | starves its watchdog |

  @spec:runtime.md#state @needs-ends-of-firmware
  Scenario Outline: Firmware that <behaviour> stops its container, though nothing is wrong with the processor
    Given an image whose firmware <behaviour>
    And the container pump runs on m3-0
    When the firmware of pump gives up
    Then the status of pump is stopped
    And m3-0 is off

    Examples:
      | behaviour            |
      | ends by itself       |
      | resets its processor |

  @needs-crash-injection
  Scenario: A crash is known at once
    Given the container pump runs on m3-0
    When the processor crashes under pump
    Then the end of pump is known within 150 ms
    And pump has ended with status 139

  @spec:runtime.md#kill
  Scenario: A stopped processor stops its container
    Given the container pump runs on m3-0
    When the operator stops pump
    Then it succeeds
    And the status of pump is stopped
    And m3-0 is off

  Scenario: The list of containers says how each is
    Given the container pump ran on m3-0 and was stopped
    And the container fan runs on m3-0
    And the container lamp was created for m3-1
    When the operator lists the containers
    Then it shows pump, stopped (0), fan, running, lamp and created
