@promise-4
Feature: EXI001 Exit status means something
  The exit status tells a stop on request, a kill, a crash and the firmware's own exit code apart, so that restart policies work.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario Outline: Firmware that <behaviour> ends with status <status>
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And pump has ended with status <status>
    And the reason given for pump is "<reason>"

    Examples:
      | behaviour              | status | reason        |
      | crashes                | 139    | m3-0: crashed |
      | starves its watchdog   | 139    | m3-0: crashed |

  @needs-crash-types
  Scenario: The kind of a crash is told
    Given an image whose firmware starves its watchdog
    When the operator deploys the image to m3-0 as pump
    Then pump has ended with status 139
    And the reason given for pump is "m3-0: crashed: watchdog"

  @needs-ends-of-firmware
  Scenario Outline: Nobody stops firmware that <behaviour>, and the status is <status>
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And pump has ended with status <status>

    Examples:
      | behaviour              | status |
      | ends by itself         | 0      |
      | resets its processor   | 139    |

  @needs-exit-codes
  Scenario Outline: Firmware that <behaviour> says why
    Given an image whose firmware <behaviour>
    When the operator deploys the image to m3-0 as pump
    Then pump has ended with status <status>
    And the reason given for pump is "<reason>"

    Examples:
      | behaviour              | status | reason        |
      | ends by itself         | 0      | exit code 0   |
      | ends with exit code 7  | 7      | exit code 7   |
      | resets its processor   | 139    | reset         |

  Scenario Outline: The operator sends <signal>, and the status is <status>
    Given the container pump runs on m3-0
    When the operator sends <signal> to pump
    Then it succeeds
    And pump has ended with status <status>
    And m3-0 is off

    Examples:
      | signal  | status |
      | TERM    | 0      |
      | SIGINT  | 0      |
      | 15      | 0      |
      | KILL    | 137    |
      | 9       | 137    |

  Scenario: Firmware that does not listen can be stopped
    Given an image whose firmware is deaf to everything
    And the container pump runs on m3-0
    When the operator stops pump
    Then it succeeds
    And pump has ended with status 0

  Scenario: The image's own stop signal stops it, too
    Given the image is annotated with org.opencontainers.image.stopSignal = SIGUSR1
    And the container pump runs on m3-0
    When the operator sends USR1 to pump
    Then it succeeds
    And pump has ended with status 0

  Scenario: Any other signal means nothing to firmware
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

  Scenario: In the foreground, the command ends as its firmware does
    Given an image whose firmware crashes
    When the operator runs the image on m3-0 in the foreground as pump
    Then it ends with exit status 139
    And pump does not exist
    And m3-0 is off

  @needs-exit-codes
  Scenario Outline: In the foreground, the command ends with the exit code of firmware that <behaviour>
    Given an image whose firmware <behaviour>
    When the operator runs the image on m3-0 in the foreground as pump
    Then it ends with exit status <status>
    And pump does not exist
    And m3-0 is off

    Examples:
      | behaviour              | status |
      | ends by itself         | 0      |
      | ends with exit code 7  | 7      |
