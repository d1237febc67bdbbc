@promise-5
Feature: LOG001 Logs
  What the firmware prints is the container's standard output, and what the runtime has to say its standard error.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: A console's output is the container's
    Given an image whose firmware prints and runs on
    When the operator deploys the image to m3-0 as pump
    Then pump prints hello from cortex-m3
    And pump prints tick 3

  Scenario: A trace buffer's output is the container's
    Given an image whose firmware logs into its trace buffer
    When the operator deploys the image to m3-0 as pump
    Then pump prints trace from cortex-m3
    And pump prints trace line 3

  Scenario: The last words of firmware that crashes are kept
    Given an image whose firmware crashes
    When the operator deploys the image to m3-0 as pump
    Then the runtime remarks on pump: "m3-0: crashed"
    And pump prints about to crash

  @needs-sample-firmware
  Scenario: The log can be looked at afterwards
    Given the container pump runs on m3-0
    And pump has printed tick 2
    When the operator looks at the log of pump
    Then it shows hello from cortex-m3, tick 1 and tick 2

  Scenario: A log has the runtime's remarks in it
    Given an image whose firmware crashes
    And the container pump runs on m3-0
    When the operator follows the log of pump
    Then it shows m3-0: crashed

  Scenario: Whoever follows a log sees it to its end
    Given an image whose firmware starves its watchdog
    And the container pump runs on m3-0
    When the operator follows the log of pump
    Then it shows watchdog started and m3-0: crashed: watchdog

  @needs-sample-firmware
  Scenario: Logs are not mixed up
    Given the container pump runs on m3-0
    And an image whose firmware logs into its trace buffer
    And the container fan runs on m3-1
    And pump has printed tick 1
    And fan has printed trace line 1
    When the operator looks at the log of fan
    Then it shows trace line 1
    And it does not show tick 1
