"""The plugins, one file each, by their upstream names, unaware of each other.

Mirrors: pkg/scheduler/framework/plugins.
"""
