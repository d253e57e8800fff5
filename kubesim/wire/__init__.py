"""What travels between the rooms: HTTP messages and who can answer them.

The shims, the workload programs, the network and the traffic generators all speak these values and
need to know nothing else of each other.
"""
