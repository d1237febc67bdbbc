@promise-5
Feature: LOG001 Logs
  The firmware's output is the container's standard output, and the runtime's reports are the container's standard error.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: Output to a console is the container's output
    Given an image whose firmware prints and runs on
    When the operator deploys the image to m3-0 as pump
    Then pump prints hello
    And pump prints tick 3

  Scenario: Output to a trace buffer is the container's output
    Given an image whose firmware logs into its trace buffer
    When the operator deploys the image to m3-0 as pump
    Then pump prints trace
    And pump prints trace line 3

  Scenario: The last output of firmware that crashes is kept
    Given an image whose firmware crashes
    When the operator deploys the image to m3-0 as pump
    Then the runtime reports on pump: "m3-0: crashed"
    And pump prints about to crash

  Scenario: The log can be read later
    Given the container pump runs on m3-0
    And pump has printed tick 2
    When the operator reads the log of pump
    Then the log shows hello, tick 1 and tick 2

  Scenario: An operator who follows a log sees all of it
    Given an image whose firmware crashes
    And the container pump runs on m3-0
    When the operator follows the log of pump
    Then the log shows about to crash and m3-0: crashed

  Scenario: Each container has its own log
    Given the container pump runs on m3-0
    And an image whose firmware logs into its trace buffer
    And the container fan runs on m3-1
    And pump has printed tick 1
    And fan has printed trace line 1
    When the operator reads the log of fan
    Then the log shows trace line 1
    And the log does not show tick 1
