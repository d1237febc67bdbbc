@promise-9
Feature: POL001 The node's policy
  The configuration of the board decides who may have a processor and what a deployment may ask for, whatever images and deployments say.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario Outline: What the configuration does not allow is refused: <annotation> = <value>
    Given the configuration says nothing about processors
    And the image is annotated with <annotation> = <value>
    When the operator creates pump for m3-0
    Then it is refused: "<annotation> = <value> is not allowed for processor m3-0"
    And the refusal says: "the configuration must allow it"
    And pump does not exist
    And m3-0 is off

    Examples:
      | annotation          | value   |
      | remoteproc.attached | take    |
      | remoteproc.attached | keep    |
      | remoteproc.coredump | enabled |
      | remoteproc.recovery | kernel  |

  Scenario: If the configuration says nothing about processors, firmware can be deployed
    Given the configuration says nothing about processors
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  Scenario: A processor that the configuration gives to others is refused
    Given the configuration gives m3-0 to the user plant
    When the operator creates pump for m3-0
    Then it is refused: "may not have processor m3-0"
    And the refusal says: "the configuration gives it to users plant"
    And pump does not exist

  Scenario: A rule for one processor does not apply to others
    Given the configuration gives m3-0 to the user plant
    When the operator deploys the image to m3-1 as pump
    Then it succeeds
    And m3-1 runs pump

  Scenario: A processor that the configuration gives to the operator runs firmware
    Given the configuration gives m3-0 to the operator
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump

  Scenario: Under Podman, an image cannot choose a processor that takes no annotations of images
    Given the configuration refuses annotations of images for m3-0
    And Podman runs the image
    When the operator creates pump for m3-0
    Then it is refused: "annotation remoteproc.name may come from the image"
    And pump does not exist

  Scenario: The operator can choose a processor that takes no annotations of images
    Given the configuration refuses annotations of images for m3-0
    And Podman runs the image
    When the operator deploys the image as pump and says remoteproc.name = m3-0
    Then it succeeds
    And m3-0 runs pump

  Scenario: The operator's annotation overrides the image's
    Given Podman runs the image
    And the image is annotated with remoteproc.name = m3-1
    When the operator deploys the image as pump and says remoteproc.name = m3-0
    Then it succeeds
    And m3-0 runs pump
    And m3-1 is off

  Scenario: An image that pretends to be a pod's sandbox is taken for firmware
    Given Podman runs the image
    And the image is annotated as a sandbox of a pod
    When the operator deploys the image to m3-0 as pump
    Then it succeeds
    And m3-0 runs pump
