"""Keeps teams from filling nodes: at most so many pods of a team on one node."""

from kubesim.controlplane.scheduler.userplugin import NodePlugin


class TeamLimit(NodePlugin):
    """Refuses nodes that have ``podsPerNode`` pods of the pod's team."""

    def filter(self, state, pod, node):
        team = pod.metadata.labels.get("team")
        if team is None:
            return None
        siblings = sum(info.pod.metadata.labels.get("team") == team for info in node.pods)
        if siblings < self.args.get("podsPerNode", 2):
            return None
        return f"node(s) had enough pods of team {team}"
