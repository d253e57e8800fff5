"""kube-scheduler: queue, framework, plugins, preemption, and the process that drives them.

A decision is a pure function of a snapshot (``engine``, ``schedule_one``, ``framework``,
``plugins``); time passes in ``scheduler`` and ``executor`` only.

Mirrors: pkg/scheduler, staging/src/k8s.io/kube-scheduler.
Departs: see the modules; each says what it leaves out.
"""
