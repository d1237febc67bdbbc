################################################################################
#
# remoteproc-runtime
#
################################################################################

REMOTEPROC_RUNTIME_VERSION = 0.1.0
REMOTEPROC_RUNTIME_SITE = $(BR2_EXTERNAL_REMOTEPROC_RUNTIME_PATH)/../..
REMOTEPROC_RUNTIME_SITE_METHOD = local
REMOTEPROC_RUNTIME_LICENSE = Apache-2.0
REMOTEPROC_RUNTIME_LICENSE_FILES = LICENSE
REMOTEPROC_RUNTIME_DEPENDENCIES = host-python3 python3 python-click python-pyyaml
REMOTEPROC_RUNTIME_MODULES = $(TARGET_DIR)/usr/share/remoteproc-runtime

# A local site is copied with all that is in it: leave out what scripts have built there.
REMOTEPROC_RUNTIME_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /.venv --exclude /.deb --exclude /.fuzz --exclude /firmware

ifeq ($(BR2_PACKAGE_REMOTEPROC_RUNTIME_SHIM),y)
REMOTEPROC_RUNTIME_DEPENDENCIES += python-protobuf
else
REMOTEPROC_RUNTIME_REMOVED += $(TARGET_DIR)/usr/bin/containerd-shim-remoteproc-v1 \
	$(REMOTEPROC_RUNTIME_MODULES)/adapters/containerd \
	$(REMOTEPROC_RUNTIME_MODULES)/bootstrap/shim.py
endif

REMOTEPROC_RUNTIME_REMOVED += $(TARGET_DIR)/usr/bin/remoteproc-sim \
	$(REMOTEPROC_RUNTIME_MODULES)/adapters/sim/fuse \
	$(REMOTEPROC_RUNTIME_MODULES)/bootstrap/sim.py

# Compiled here: on a read-only root, each start would compile the modules again.
define REMOTEPROC_RUNTIME_INSTALL_TARGET_CMDS
	rm -rf $(REMOTEPROC_RUNTIME_MODULES)
	$(@D)/packaging/install $(TARGET_DIR) \
		/usr/lib/python$(PYTHON3_VERSION_MAJOR)/site-packages
	rm -r $(REMOTEPROC_RUNTIME_REMOVED)
	$(HOST_DIR)/bin/python3 -m compileall -q --invalidation-mode unchecked-hash \
		-s $(TARGET_DIR) $(REMOTEPROC_RUNTIME_MODULES)
endef

$(eval $(generic-package))
