@promise-7
Feature: ORP002 Who stops a processor whose supervisor was killed
  Some kernels stop the processor at once, and on all other kernels the next command of the runtime does.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: The kernel stops the processor at once
    Given the container pump runs on m3-0
    When signal 9 kills the supervisor of pump
    Then m3-0 goes off without a command

  Scenario Outline: The next command stops the processor: <command>
    Given the container pump runs on m3-0
    And the supervisor of pump is dead, and m3-0 runs on
    When the operator gives the command <command>
    Then m3-0 went off by that command

    Examples:
      | command     |
      | list        |
      | processors  |
      | state pump  |
      | kill pump   |
      | delete pump |
      | start fan   |
