Feature: LIF001 Lifecycle
  Each operation is allowed in the states that the OCI runtime specification names, and changes nothing in any other state.

  Background:
    Given a board with the processors m3-0 and m3-1

  @spec:runtime.md#create
  Scenario: An id that is in use is refused
    Given the container pump runs on m3-0
    When the operator creates pump for m3-1
    Then it is refused: "container pump exists"
    And m3-0 runs pump
    And m3-1 is off

  @spec:runtime.md#delete
  Scenario: A running container is not deleted
    Given the container pump runs on m3-0
    When the operator deletes pump
    Then it is refused: "cannot delete container pump: it is running"
    And the refusal names kill
    And m3-0 runs pump

  @spec:runtime.md#delete
  Scenario: A created container is not deleted
    Given the container pump was created for m3-0
    When the operator deletes pump
    Then it is refused: "cannot delete container pump: it is created"
    And the status of pump is created

  Scenario: A running container is deleted by force
    Given the container pump runs on m3-0
    When the operator deletes pump by force
    Then it succeeds
    And m3-0 is off
    And pump does not exist

  @spec:runtime.md#delete
  Scenario: The id of a deleted container can be used again
    Given the container pump ran on m3-0 and is stopped
    When the operator deletes pump
    Then it succeeds
    And pump can be deployed to m3-0

  @spec:runtime.md#kill
  Scenario: A stopped container is not killed
    Given the container pump ran on m3-0 and is stopped
    When the operator kills pump
    Then it is refused: "cannot kill container pump: it is stopped"

  @spec:runtime.md#state
  Scenario: A container that does not exist has no state
    When the operator asks for the state of pump
    Then it is refused: "container pump does not exist"

  @spec:runtime.md#kill
  Scenario: A container that does not exist is not killed
    When the operator kills pump
    Then it is refused: "container pump does not exist"

  @spec:runtime.md#delete
  Scenario: A container that does not exist is not deleted
    When the operator deletes pump
    Then it is refused: "container pump does not exist"

  Scenario: Deleting by force succeeds although the container does not exist
    When the operator deletes pump by force
    Then it succeeds

  @spec:runtime.md#create
  Scenario: A change of the bundle after the creation has no effect
    Given the container pump was created for m3-0
    And the bundle of pump now names m3-1
    When the operator starts pump
    Then it succeeds
    And m3-0 runs pump
