@promise-1
Feature: DEP002 Choose a processor
  A deployment must name its processor unless the board has only one, and an error lists the processors of the board.

  Scenario: On a board with one processor, a deployment need not name it
    Given a board with the processor m4
    And an image whose firmware prints and runs on
    When the operator deploys the image without naming a processor as pump
    Then it succeeds
    And m4 runs pump

  Scenario: On a board with several processors, a deployment must name one
    Given a board with the processors m4, m7 and dsp
    And an image whose firmware prints and runs on
    When the operator deploys the image without naming a processor as pump
    Then it is refused: "no processor is named"
    And the refusal names m4, m7, dsp and remoteproc.name
    And pump does not exist

  Scenario: A processor that the board does not have is refused
    Given a board with the processors m4 and m7
    And an image whose firmware prints and runs on
    When the operator deploys the image to m5 as pump
    Then it is refused: "there is no processor m5"
    And the refusal names m4 and m7
    And pump does not exist

  Scenario: On a board without processors, a deployment is refused
    Given a board without processors
    And an image whose firmware prints and runs on
    When the operator deploys the image without naming a processor as pump
    Then it is refused: "this board has no remote processors"
