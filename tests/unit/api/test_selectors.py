"""Selectors, taints and tolerations."""

import pytest

from kubesim.api.corev1 import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodSpec,
    PreferredSchedulingTerm,
    Taint,
    Toleration,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import (
    label_selector_matches,
    node_selector_matches,
    preferred_terms_score,
    required_node_affinity_matches,
)
from kubesim.api.metav1 import LabelSelector, LabelSelectorRequirement, ObjectMeta
from kubesim.api.taints import (
    find_matching_untolerated_taint,
    toleration_tolerates_taint,
    tolerations_tolerate_taint,
)

LABELS = FrozenMap({"app": "web", "tier": "front", "cores": "8"})
NODE = Node(metadata=ObjectMeta(name="n1", labels=LABELS))


def expression(key: str, operator: str, *values: str) -> LabelSelectorRequirement:
    return LabelSelectorRequirement(key=key, operator=operator, values=values)


def node_term(
    *expressions: tuple[str, ...], fields: tuple[tuple[str, ...], ...] = ()
) -> NodeSelectorTerm:
    def requirements(items: tuple[tuple[str, ...], ...]) -> tuple[NodeSelectorRequirement, ...]:
        return tuple(
            NodeSelectorRequirement(key=key, operator=operator, values=tuple(values))
            for key, operator, *values in items
        )

    return NodeSelectorTerm(
        match_expressions=requirements(expressions), match_fields=requirements(fields)
    )


@pytest.mark.parametrize(
    ("requirement", "matches"),
    [
        (expression("app", "In", "web", "api"), True),
        (expression("app", "In", "api"), False),
        (expression("none", "In", "api"), False),
        (expression("app", "NotIn", "web"), False),
        (expression("app", "NotIn", "api"), True),
        (expression("none", "NotIn", "api"), True),
        (expression("app", "Exists"), True),
        (expression("none", "Exists"), False),
        (expression("app", "DoesNotExist"), False),
        (expression("none", "DoesNotExist"), True),
    ],
)
def test_each_operator_of_a_label_selector(
    requirement: LabelSelectorRequirement, matches: bool
) -> None:
    """An absent label is not in any set, and is in no set's complement's way."""
    selector = LabelSelector(match_expressions=(requirement,))

    assert matches == label_selector_matches(selector, LABELS)


def test_no_selector_picks_nothing_and_an_empty_one_everything() -> None:
    """Absence and emptiness are opposites."""
    assert not label_selector_matches(None, LABELS)
    assert label_selector_matches(LabelSelector(), LABELS)
    assert label_selector_matches(LabelSelector(), FrozenMap())


def test_all_requirements_of_a_label_selector_must_hold() -> None:
    """Labels and expressions are joined by "and"."""
    selector = LabelSelector(
        match_labels=FrozenMap({"app": "web"}), match_expressions=(expression("tier", "Exists"),)
    )

    assert label_selector_matches(selector, LABELS)
    assert not label_selector_matches(selector, LABELS.without("tier"))
    assert not label_selector_matches(selector, LABELS.set("app", "api"))


@pytest.mark.parametrize(
    ("term", "matches"),
    [
        (node_term(("cores", "Gt", "7")), True),
        (node_term(("cores", "Gt", "8")), False),
        (node_term(("cores", "Lt", "9")), True),
        (node_term(("cores", "Lt", "8")), False),
        (node_term(("app", "Gt", "1")), False),
        (node_term(("cores", "Gt", "x")), False),
        (node_term(("none", "Gt", "1")), False),
        (node_term(), False),
        (node_term(fields=(("metadata.name", "In", "n1"),)), True),
        (node_term(fields=(("metadata.name", "NotIn", "n1"),)), False),
        (node_term(fields=(("metadata.name", "NotIn", "n2"),)), True),
        (node_term(fields=(("metadata.name", "In", "n1", "n2"),)), False),
        (node_term(("app", "Exists"), fields=(("metadata.name", "In", "n2"),)), False),
    ],
)
def test_node_terms_compare_numbers_and_names(term: NodeSelectorTerm, matches: bool) -> None:
    """Terms know ``Gt``, ``Lt`` and the node's name; an empty term picks nothing."""
    assert matches == node_selector_matches(NodeSelector(node_selector_terms=(term,)), NODE)


def test_terms_of_a_node_selector_are_alternatives() -> None:
    """One term that holds is enough; no term at all picks nothing."""
    holds, fails = node_term(("app", "Exists")), node_term(("none", "Exists"))

    assert node_selector_matches(NodeSelector(node_selector_terms=(fails, holds)), NODE)
    assert not node_selector_matches(NodeSelector(node_selector_terms=(fails,)), NODE)
    assert not node_selector_matches(NodeSelector(node_selector_terms=()), NODE)


def test_node_selector_and_affinity_must_both_allow_a_node() -> None:
    """``nodeSelector`` and required affinity are joined by "and"."""
    required = NodeSelector(node_selector_terms=(node_term(("tier", "In", "front")),))
    affinity = Affinity(
        node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=required)
    )
    spec = PodSpec(containers=(), affinity=affinity, node_selector=FrozenMap({"app": "web"}))

    assert required_node_affinity_matches(PodSpec(containers=()), NODE)
    assert required_node_affinity_matches(spec, NODE)
    assert not required_node_affinity_matches(
        spec.replace(node_selector=FrozenMap({"app": "api"})), NODE
    )
    moved = NODE.replace(metadata=NODE.metadata.replace(labels=LABELS.set("tier", "back")))
    assert not required_node_affinity_matches(spec, moved)


def test_preferences_add_up_their_weights() -> None:
    """A node earns the weight of each term that picks it."""
    terms = (
        PreferredSchedulingTerm(weight=10, preference=node_term(("app", "Exists"))),
        PreferredSchedulingTerm(weight=5, preference=node_term(("none", "Exists"))),
        PreferredSchedulingTerm(weight=3, preference=node_term(("tier", "In", "front"))),
    )

    assert 13 == preferred_terms_score(terms, NODE)


TAINT = Taint(key="gpu", value="a100", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        (Toleration(key="gpu", operator="Equal", value="a100", effect="NoSchedule"), True),
        (Toleration(key="gpu", value="a100"), True),
        (Toleration(key="gpu", value="v100"), False),
        (Toleration(key="gpu"), False),
        (Toleration(key="gpu", operator="Exists"), True),
        (Toleration(operator="Exists"), True),
        (Toleration(operator="Exists", effect="NoExecute"), False),
        (Toleration(key="disk", operator="Exists"), False),
    ],
)
def test_when_a_toleration_puts_up_with_a_taint(toleration: Toleration, tolerates: bool) -> None:
    """An absent key, effect or operator means every key, every effect, and "equal"."""
    assert tolerates == toleration_tolerates_taint(toleration, TAINT)


def test_numbers_are_compared_only_when_the_feature_is_on() -> None:
    """``Gt`` and ``Lt`` compare the taint's value with the toleration's."""
    taint = Taint(key="load", value="5", effect="NoSchedule")
    above = Toleration(key="load", operator="Gt", value="3")
    below = Toleration(key="load", operator="Lt", value="3")

    assert not toleration_tolerates_taint(above, taint)
    assert toleration_tolerates_taint(above, taint, comparison_operators=True)
    assert not toleration_tolerates_taint(below, taint, comparison_operators=True)
    words = taint.replace(value="many")
    assert not toleration_tolerates_taint(above, words, comparison_operators=True)


def test_the_first_untolerated_taint_that_counts_is_found() -> None:
    """Tolerated taints and those that do not count are passed over."""
    soft = Taint(key="soft", effect="PreferNoSchedule")
    hard = Taint(key="hard", effect="NoSchedule")
    tolerations = (Toleration(key="gpu", operator="Exists"),)

    found = find_matching_untolerated_taint(
        (TAINT, soft, hard), tolerations, lambda taint: taint.effect != "PreferNoSchedule"
    )

    assert hard == found
    assert soft == find_matching_untolerated_taint((TAINT, soft, hard), tolerations)
    assert find_matching_untolerated_taint((TAINT,), tolerations) is None
    assert tolerations_tolerate_taint(tolerations, TAINT)
