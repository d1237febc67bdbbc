@promise-5
Feature: CON001 Console
  What an operator types goes to the firmware of that container, and what it answers is the container's output.

  Background:
    Given a board with the processors m3-0 and m3-1
    And an image whose firmware answers what is typed
    And the image is annotated with remoteproc.console = rpmsg

  @needs-input
  Scenario: Firmware answers
    Given the container pump runs on m3-0
    When the operator types hello to pump
    Then pump prints you said: hello

  @needs-input
  Scenario: Each container has a console of its own
    Given the container pump runs on m3-1
    And the container fan runs on m3-0
    When the operator types hello to fan
    Then fan prints you said: hello
    And pump has not printed hello

  @needs-input
  Scenario: What was typed early is not lost
    Given the container pump was created for m3-0
    And the operator typed hello to pump
    When the operator starts pump
    Then pump prints you said: hello

  @needs-input
  Scenario: The end of a console is no failure
    Given the container pump runs on m3-0
    And the operator typed hello to pump
    And pump has printed you said: hello
    When the operator stops pump
    Then pump has ended with status 0
    And m3-0 is off

  @needs-input @needs-crash-injection
  Scenario: A crash ends a conversation
    Given the container pump runs on m3-0
    And the operator typed hello to pump
    And pump has printed you said: hello
    When the processor crashes under pump
    Then pump has ended with status 139

  @needs-input @needs-kernel-recovery
  Scenario: Firmware that the kernel has recovered answers again
    Given the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    And the processor crashed under pump and was recovered
    When the operator types hello to pump
    Then pump prints you said: hello
