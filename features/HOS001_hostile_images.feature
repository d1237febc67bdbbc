@promise-9
Feature: HOS001 Hostile images are harmless
  Whatever an image or a deployment contains, the runtime reads no file outside the image and changes no file outside its own directories.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario Outline: Firmware that is a link to <target> of the host is refused
    Given an image with a link to <target> as its firmware
    When the operator creates pump for m3-0
    Then it is refused: "<reason>"
    And no file of the host is shown
    And pump does not exist

    Examples:
      | target                    | reason                  |
      | /etc/shadow               | the image has no /etc   |
      | ../../../../../etc/shadow | the image has no /etc   |
      | firmware.elf              | too many symbolic links |

  Scenario Outline: A link to good firmware outside the image is refused: <way>
    Given an image with a link to firmware outside of it, which is <way>
    When the operator creates pump for m3-0
    Then it is refused: "the image has no"
    And pump does not exist

    Examples:
      | way                         |
      | absolute                    |
      | relative                    |
      | relative, with too many ../ |

  Scenario Outline: An entry point that leads out of the image is refused: <path>
    Given an image whose entry point is <path>
    When the operator creates pump for m3-0
    Then it is refused: "climbs out of the image"
    And no file of the host is shown
    And pump does not exist

    Examples:
      | path                  |
      | ../../etc/hostname    |
      | /../etc/hostname      |
      | firmware.elf/../../.. |

  Scenario: An absolute link starts at the root of the image
    Given an image with an absolute link to a file of its own as its firmware
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  Scenario: Firmware that is a FIFO does not block the runtime
    Given an image with a FIFO as its firmware
    When the operator creates pump for m3-0
    Then it is refused: "is a FIFO, not a regular file"
    And pump does not exist

  Scenario: Firmware that is a directory is refused
    Given an image with a directory as its firmware
    When the operator creates pump for m3-0
    Then it is refused: "is a directory, not a regular file"
    And pump does not exist

  Scenario: A file name with a line break does not add a line to the log
    Given an image whose entry point is /a\nremoteproc-runtime: all is well
    When the operator creates pump for m3-0
    Then it is refused: "is not in the image"
    And pump does not exist

  Scenario: An image without an entry point is refused
    Given an image without an entry point
    When the operator creates pump for m3-0
    Then it is refused: "names no firmware"
    And pump does not exist

  Scenario Outline: A container id with forbidden characters is refused: <id>
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

  Scenario: An unknown annotation of the runtime is refused
    Given the image is annotated with remoteproc.root = /etc
    When the operator creates pump for m3-0
    Then it is refused: "annotation 'remoteproc.root' is unknown"
    And pump does not exist

  Scenario: Annotations for other programs are ignored
    Given the image is annotated with org.example.owner = plant 4
    When the operator creates pump for m3-0
    Then it succeeds
