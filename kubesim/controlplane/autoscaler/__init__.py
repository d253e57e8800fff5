"""What makes and removes nodes: the Cluster Autoscaler and Karpenter.

Both ask the scheduler's own plugins what would fit where, on a copy of the cluster, and tell a cloud
what to do through a narrow door (``cloudprovider``); the cloud itself is in the world.
"""
