@promise-1
Feature: DEP002 Choose a processor
  The processor may be left unnamed only where there is no choice, and whoever has to choose is told what there is.

  @needs-boards-of-any-kind
  Scenario: On a board with one processor its name may be left out
    Given a board with the processor m4
    And an image whose firmware prints and runs on
    When the operator deploys the image without naming a processor as pump
    Then it succeeds
    And m4 runs pump

  @before-any-kernel @needs-boards-of-any-kind
  Scenario: On a board with several processors one has to be named
    Given a board with the processors m4, m7 and dsp
    And an image whose firmware prints and runs on
    When the operator deploys the image without naming a processor as pump
    Then it is refused: "no processor is named"
    And the refusal names m4, m7, dsp and remoteproc.name
    And pump does not exist

  @before-any-kernel @needs-boards-of-any-kind
  Scenario: A processor that the board does not have
    Given a board with the processors m4 and m7
    And an image whose firmware prints and runs on
    When the operator deploys the image to m5 as pump
    Then it is refused: "there is no processor m5"
    And the refusal names m4 and m7
    And pump does not exist

  @before-any-kernel @needs-boards-of-any-kind @not-on-sim:a-simulated-board-has-at-least-one-processor
  Scenario: A board without processors
    Given a board without processors
    And an image whose firmware prints and runs on
    When the operator deploys the image without naming a processor as pump
    Then it is refused: "this board has no remote processors"
