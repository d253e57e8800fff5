"""The nouns: the resources of the Kubernetes API, as immutable Python values.

The modules have the names under which Go code imports them: ``corev1.Pod``, ``metav1.ObjectMeta``,
``appsv1.Deployment``. Around them: ``model`` (the base class), ``quantity``, ``labels``,
``scheme`` (which class is which kind), ``defaults`` and ``validation`` (what an API server does
with an object before it stores it), ``podutil`` and ``taints`` (what several components ask).

Nothing in here knows of time, of a cluster or of a file.
"""
