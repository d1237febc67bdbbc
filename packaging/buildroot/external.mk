include $(sort $(wildcard $(BR2_EXTERNAL_REMOTEPROC_RUNTIME_PATH)/package/*/*.mk))
