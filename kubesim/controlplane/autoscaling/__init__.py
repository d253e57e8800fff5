"""What changes the number and the size of pods with their load.

``hpa`` is the HorizontalPodAutoscaler of kube-controller-manager, ``keda`` an operator that somebody
installed and that works through it.

Mirrors: pkg/controller/podautoscaler, kedacore/keda.
"""
