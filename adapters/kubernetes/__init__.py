"""Input adapter: tells the kubelet about processors, and gives them to its containers."""
