@promise-1 @promise-2 @promise-9
Feature: DEP003 Refuse firmware that does not fit
  Firmware that the processor cannot run is refused when the container is created, with the reason.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario Outline: Firmware that <defect> is refused
    Given an image whose firmware <defect>
    When the operator creates pump for m3-0
    Then it is refused: "<reason>"
    And the refusal names firmware.elf
    And pump does not exist
    And m3-0 is off

    Examples:
      | defect             | reason                    |
      | is not an ELF file | is not an ELF file        |
      | is cut off         | is cut off                |
      | has 60000 segments | has 60000 program headers |

  Scenario Outline: Where the runtime knows the core, firmware that <defect> is refused
    Given an image whose firmware <defect>
    When the operator creates pump for m3-0
    Then it is refused: "<reason>"
    And pump does not exist

    Examples:
      | defect                              | reason                                     |
      | is built for a RISC-V core          | is 32-bit RISC-V code                      |
      | lies outside the processor's memory | which is not inside the processor's memory |

  Scenario: Where only the driver knows the core, the start is refused
    Given an image whose firmware lies outside the processor's memory
    And the container pump was created for m3-0
    When the operator starts pump
    Then it is refused: "cannot start processor m3-0: Invalid argument (EINVAL)"
    And m3-0 is off
    And the status of pump is created

  Scenario: Firmware with the digest that the deployment requires runs
    Given an image whose firmware prints and runs on
    And the deployment requires the digest of this firmware
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  Scenario: Firmware with another digest than the deployment requires is refused
    Given an image whose firmware prints and runs on
    And the deployment requires the digest of other firmware
    When the operator creates pump for m3-0
    Then it is refused: "has digest sha256:"
    And the refusal names remoteproc.firmware-digest
    And pump does not exist
