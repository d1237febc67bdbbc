@promise-9
Feature: SIG001 Required firmware
  A processor runs only firmware whose digest, or whose signer, the configuration names.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: Firmware with a signature by a key of the configuration runs
    Given the configuration requires signed firmware on m3-0
    And the image has firmware that is signed
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  Scenario Outline: Firmware that is <kind> is refused
    Given the configuration requires signed firmware on m3-0
    And the image has firmware that is <kind>
    When the operator creates pump for m3-0
    Then it is refused: "<reason>"
    And the refusal says: "openssl pkeyutl -sign"
    And pump does not exist
    And m3-0 is off

    Examples:
      | kind                          | reason                   |
      | not signed                    | is not signed            |
      | signed by another key         | is not of this firmware  |
      | signed, and one bit different | is not of this firmware  |
      | signed by a damaged signature | is no Ed25519 signature  |

  Scenario: Signed firmware of which one bit changes after the creation does not start
    Given the configuration requires signed firmware on m3-0
    And the image has firmware that is signed
    And the container pump was created for m3-0
    And one bit of the firmware of pump has changed since
    When the operator starts pump
    Then it is refused: "was changed"
    And the refusal names delete
    And m3-0 is off

  Scenario: Firmware whose digest the configuration lists runs
    Given the configuration requires the digest of the firmware on m3-0
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  Scenario: Firmware whose digest the configuration does not list is refused
    Given the configuration requires another digest on m3-0
    When the operator creates pump for m3-0
    Then it is refused: "which processor m3-0 does not take"
    And pump does not exist

  Scenario: A rule for one processor does not apply to others
    Given the configuration requires signed firmware on m3-0
    When the operator deploys the image to m3-1 as pump
    Then it succeeds
    And m3-1 runs pump
