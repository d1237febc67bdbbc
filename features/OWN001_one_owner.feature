@promise-6
Feature: OWN001 One owner
  A processor runs at most one container, and is left alone while another user's firmware runs on it.

  Background:
    Given a board with the processors m3-0 and m3-1

  Scenario: A refused start names the container that has the processor
    Given the container pump runs on m3-0
    And the container fan was created for m3-0
    When the operator starts fan
    Then it is refused: "belongs to container pump"
    And m3-0 runs pump
    And the status of fan is created

  Scenario: Of several starts at the same time one succeeds
    Given the container pump was created for m3-0
    And the container fan was created for m3-0
    And the container lamp was created for m3-0
    When the operator starts pump, fan and lamp at the same time
    Then just one of pump, fan and lamp runs on m3-0

  Scenario: A stopped container gives its processor back
    Given the container pump ran on m3-0 and is stopped
    And the container fan was created for m3-0
    When the operator starts fan
    Then it succeeds
    And m3-0 runs fan

  Scenario: A crashed container gives its processor back
    Given the container pump ran on m3-0 and has crashed
    When the operator deploys the image to m3-0 as fan
    Then it succeeds
    And m3-0 runs fan

  Scenario: A processor that runs another user's firmware is left alone
    Given another user's firmware runs on m3-0
    And the container pump was created for m3-0
    When the operator starts pump
    Then it is refused: "processor m3-0 is running, and no container of ours runs there"
    And the refusal says: "whoever started it must stop it first"
    And m3-0 is left running

  Scenario: Deleting a container leaves another user's processor alone
    Given another user's firmware runs on m3-0
    And the container pump was created for m3-0
    When the operator deletes pump by force
    Then it succeeds
    And m3-0 is left running
