@promise-7
Feature: ORP002 Who stops a processor whose supervisor was killed
  The kernel does at once where it offers that, and the next command of any kind does everywhere.

  Background:
    Given a board with the processors m3-0 and m3-1

  @needs-release-switch
  Scenario: The kernel stops it, and nobody has to do anything
    Given the container pump runs on m3-0
    When the supervisor of pump is killed outright
    Then m3-0 goes off without a command

  @needs-direct-sight @needs-no-release-switch
  Scenario Outline: The next command stops it: <command>
    Given the container pump runs on m3-0
    And the supervisor of pump was killed outright, and m3-0 runs on
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
