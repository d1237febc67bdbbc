@promise-4
Feature: EXI001 Exit status means something
  The exit status distinguishes a stop, a kill, a crash and the firmware's own exit code, so that restart policies work.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario Outline: Firmware that <behaviour> ends with status <status>
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And pump has ended with status <status>
    And the reason given for pump is "<reason>"
    And m3-0 is off

    Examples:
      | behaviour                  | status | reason                  |
      | crashes                    | 139    | m3-0: crashed           |
      | does not feed its watchdog | 139    | m3-0: crashed: watchdog |

  Scenario Outline: Firmware that <behaviour> without a stop ends with status <status>
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And pump has ended with status <status>
    And m3-0 is off

    Examples:
      | behaviour              | status |
      | ends by itself         | 0      |
      | resets its processor   | 139    |

  Scenario Outline: Firmware that <behaviour> gives the status and the reason
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then pump has ended with status <status>
    And the reason given for pump is "<reason>"

    Examples:
      | behaviour              | status | reason        |
      | ends by itself         | 0      | exit code 0   |
      | ends with exit code 7  | 7      | exit code 7   |
      | resets its processor   | 139    | reset         |

  @spec:runtime.md#kill
  Scenario Outline: After the signal <signal>, the status is <status>
    Given the container pump runs on m3-0
    When the operator sends <signal> to pump
    Then it succeeds
    And the status of pump is stopped
    And pump has ended with status <status>
    And m3-0 is off

    Examples:
      | signal  | status |
      | TERM    | 0      |
      | SIGINT  | 0      |
      | 15      | 0      |
      | KILL    | 137    |
      | 9       | 137    |

  Scenario: Firmware that ignores all messages can be stopped
    Given an image whose firmware ignores all messages
    And the container pump runs on m3-0
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0

  Scenario: The stop signal that the image names also stops the firmware
    Given the image is annotated with org.opencontainers.image.stopSignal = SIGUSR1
    And the container pump runs on m3-0
    When the operator sends USR1 to pump
    Then it succeeds
    And pump has ended with status 0

  Scenario: Any other signal has no effect
    Given the container pump runs on m3-0
    When the operator sends USR2 to pump
    Then it succeeds
    And m3-0 runs pump

  @spec:runtime.md#kill
  Scenario: A created container can be stopped
    Given the container pump was created for m3-0
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0
    And m3-0 is off

  @spec:runtime.md#kill
  Scenario: A created container can be killed
    Given the container pump was created for m3-0
    When the operator kills pump
    Then it succeeds
    And pump has ended with status 137

  Scenario: In the foreground, the command ends with exit status 139 after a crash
    Given an image whose firmware crashes
    When the operator runs the image on m3-0 in the foreground as pump
    Then the command ends with exit status 139
    And pump does not exist
    And m3-0 is off

  Scenario Outline: In the foreground, firmware that <behaviour> ends the command with exit status <status>
    Given an image whose firmware <behaviour>
    When the operator runs the image on m3-0 in the foreground as pump
    Then the command ends with exit status <status>
    And pump does not exist
    And m3-0 is off

    Examples:
      | behaviour              | status |
      | ends by itself         | 0      |
      | ends with exit code 7  | 7      |
