@promise-3
Feature: STA002 Status is live
  A container's status follows its processor, and needs no command for that.

  Background:
    Given a board with the processors m3-0 and m3-1

  @spec:runtime.md#state
  Scenario: A crash ends the container without a command
    Given the container pump runs on m3-0
    When the processor crashes under pump
    Then pump ends before any command is given
    And the status of pump is stopped
    And pump has ended with status 139

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
