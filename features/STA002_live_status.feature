@promise-3
Feature: STA002 Status is live
  A container's status follows its processor, whatever the firmware does.

  Background:
    Given a board with the processors m3-0 and m3-1

  @spec:runtime.md#state
  Scenario Outline: Firmware that <behaviour> stops its container
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then the status of pump becomes stopped
    And m3-0 is off

    Examples:
      | behaviour                  |
      | crashes                    |
      | does not feed its watchdog |

  @spec:runtime.md#state
  Scenario Outline: Firmware that <behaviour> stops its container, although the processor has no fault
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then the status of pump becomes stopped
    And m3-0 is off

    Examples:
      | behaviour            |
      | ends by itself       |
      | resets its processor |

  Scenario: A crash ends the container without a command
    Given the container pump runs on m3-0
    When the processor crashes under pump
    Then pump ends before any command is given
    And the status of pump is stopped
    And pump has ended with status 139

  @spec:runtime.md#kill
  Scenario: A stopped processor stops its container
    Given the container pump runs on m3-0
    When the operator stops pump
    Then it succeeds
    And the status of pump is stopped
    And m3-0 is off

  Scenario: The list of containers shows the status of each container
    Given the container pump ran on m3-0 and is stopped
    And the container fan runs on m3-0
    And the container lamp was created for m3-1
    When the operator lists the containers
    Then the table shows:
      | ID   | STATUS      | PROCESSOR |
      | fan  | running     | m3-0      |
      | lamp | created     | m3-1      |
      | pump | stopped (0) | m3-0      |
