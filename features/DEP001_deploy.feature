@promise-1
Feature: DEP001 Deploy firmware
  An image whose entry point is a firmware file runs on the processor that the deployment names.

  Background:
    Given a board with the processors m3-0, m3-1, m3-2 and m3-3

  @spec:runtime.md#create @spec:runtime.md#start
  Scenario: Firmware runs on the processor that is named
    Given an image whose firmware prints and runs on
    When the operator deploys the image to m3-1 as pump
    Then it succeeds
    And m3-1 runs pump
    And pump prints hello
    And m3-0 is off

  Scenario: A processor can be named by its number on the board
    Given an image whose firmware prints and runs on
    When the operator deploys the image to remoteproc2 as pump
    Then it succeeds
    And m3-2 runs pump

  @spec:runtime.md#create
  Scenario: A created container waits for its start
    Given an image whose firmware prints and runs on
    When the operator creates pump for m3-0
    Then it succeeds
    And the status of pump is created
    And m3-0 is off

  Scenario: Several processors run firmware at the same time
    Given the container pump runs on m3-0
    When the operator deploys the image to m3-3 as fan
    Then m3-0 runs pump
    And m3-3 runs fan

  Scenario: The list of processors shows each processor, its state and its container
    Given the container pump runs on m3-2
    When the operator lists the processors
    Then the table shows:
      | NAME | STATE   | CONTAINER |
      | m3-0 | offline | -         |
      | m3-1 | offline | -         |
      | m3-2 | running | pump      |
      | m3-3 | offline | -         |
