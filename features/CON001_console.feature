@promise-5
Feature: CON001 Console
  The text that an operator types goes to the firmware of that container, and the firmware's answer is the container's output.

  Background:
    Given a board with the processors m3-0 and m3-1
    And an image whose firmware answers what is typed
    And the image is annotated with remoteproc.console = rpmsg

  Scenario: Firmware answers
    Given the container pump runs on m3-0
    When the operator types hello to pump
    Then pump prints you said: hello

  Scenario: Each container has its own console
    Given the container pump runs on m3-1
    And the container fan runs on m3-0
    When the operator types hello to fan
    Then fan prints you said: hello
    And pump has not printed hello

  Scenario: Text that is typed before the start is not lost
    Given the container pump was created for m3-0
    And the text hello waits at the console of pump
    When the operator starts pump
    Then pump prints you said: hello

  Scenario: A stop while the console is in use is no failure
    Given the container pump runs on m3-0
    And the console of pump is in use
    When the operator stops pump
    Then pump has ended with status 0
    And m3-0 is off

  Scenario: A crash while the console is in use ends the container
    Given the container pump runs on m3-0
    And the console of pump is in use
    When the processor crashes under pump
    Then pump has ended with status 139

  Scenario: Firmware that the kernel has recovered answers again
    Given the configuration allows remoteproc.recovery = kernel
    And the image is annotated with remoteproc.recovery = kernel
    And the container pump runs on m3-0
    And pump runs again after a crash that the kernel recovered
    When the operator types hello to pump
    Then pump prints you said: hello
