@promise-9
Feature: HOS001 Hostile images are harmless
  Whatever an image or a deployment says, nothing outside the image is read and nothing outside the runtime's own places is touched.

  Background:
    Given a board with the processors m3-0 and m3-1

  @before-any-kernel
  Scenario Outline: Firmware that is a link to <target> of the host
    Given an image whose firmware is a link to <target>
    When the operator creates pump for m3-0
    Then it is refused: "<reason>"
    And nothing of the host's is shown
    And pump does not exist

    Examples:
      | target                    | reason                  |
      | /etc/shadow               | the image has no /etc   |
      | ../../../../../etc/shadow | the image has no /etc   |
      | firmware.elf              | too many symbolic links |

  @before-any-kernel
  Scenario Outline: Even good firmware is not taken from outside the image, by <way>
    Given an image whose firmware is a link, <way>, to good firmware outside the image
    When the operator creates pump for m3-0
    Then it is refused: "the image has no"
    And pump does not exist

    Examples:
      | way                  |
      | from the top         |
      | by climbing          |
      | by climbing too high |

  @before-any-kernel
  Scenario Outline: An entry point that climbs out of the image: <path>
    Given an image whose entry point is <path>
    When the operator creates pump for m3-0
    Then it is refused: "climbs out of the image"
    And nothing of the host's is shown
    And pump does not exist

    Examples:
      | path                  |
      | ../../etc/hostname    |
      | /../etc/hostname      |
      | firmware.elf/../../.. |

  Scenario: An absolute link is followed inside the image
    Given an image whose firmware is an absolute link to a file of the image
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  @before-any-kernel
  Scenario: Firmware that is a FIFO does not hang the runtime
    Given an image whose firmware is a FIFO
    When the operator creates pump for m3-0
    Then it is refused: "is a FIFO, not a regular file"
    And pump does not exist

  @before-any-kernel
  Scenario: Firmware that is a directory
    Given an image whose firmware is a directory
    When the operator creates pump for m3-0
    Then it is refused: "is a directory, not a regular file"
    And pump does not exist

  @before-any-kernel
  Scenario: A name with line breaks does not forge a line of the log
    Given an image whose entry point is /a\nremoteproc-runtime: all is well
    When the operator creates pump for m3-0
    Then it is refused: "is not in the image"
    And pump does not exist

  @before-any-kernel
  Scenario: An image without an entry point
    Given an image without an entry point
    When the operator creates pump for m3-0
    Then it is refused: "must be one firmware file"
    And pump does not exist

  @before-any-kernel
  Scenario Outline: A container id that is a path or worse: <id>
    Given an image whose firmware prints and runs on
    When the operator creates <id> for m3-0
    Then it is refused: "is not allowed"
    And m3-0 is off

    Examples:
      | id            |
      | ../pump       |
      | /etc/pump     |
      | ..            |
      | pump;reboot   |

  @before-any-kernel
  Scenario: An annotation that the runtime does not know is not passed over
    Given the image is annotated with remoteproc.root = /etc
    When the operator creates pump for m3-0
    Then it is refused: "annotation 'remoteproc.root' is unknown"
    And pump does not exist

  @before-any-kernel
  Scenario: Annotations of others are none of our business
    Given the image is annotated with org.example.owner = plant 4
    When the operator creates pump for m3-0
    Then it succeeds
