SUMMARY = "Deploy firmware to auxiliary processors as containers"
DESCRIPTION = "An OCI runtime that lets Podman deploy firmware to the processors of Linux' \
remoteproc framework. containerd and Docker need the package containerd-shim-remoteproc, too."
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

# The checkout that this layer is in. There is nothing to fetch, to configure or to compile: the
# modules are installed as they are, since scarthgap has an older hatchling than pyproject.toml needs.
inherit externalsrc python3native python3-dir
EXTERNALSRC = "${@os.path.realpath(d.getVar('FILE_DIRNAME') + '/../../../..')}"
EXTERNALSRC_SYMLINKS = ""

do_configure[noexec] = "1"
do_compile[noexec] = "1"

# Compiled here: on a read-only root, each start would compile the modules again. By hash, since
# images get other times.
do_install() {
    ${S}/packaging/install ${D} ${PYTHON_SITEPACKAGES_DIR}
    rm -r ${D}${bindir}/remoteproc-sim ${D}${datadir}/remoteproc-runtime/adapters/sim/fuse \
        ${D}${datadir}/remoteproc-runtime/bootstrap/sim.py
    ${PYTHON} -m compileall -q --invalidation-mode unchecked-hash -s ${D} \
        ${D}${datadir}/remoteproc-runtime
    install -Dm644 ${S}/packaging/debian/remoteproc-runtime.tmpfiles \
        ${D}${nonarch_libdir}/tmpfiles.d/remoteproc-runtime.conf
}

PACKAGES =+ "containerd-shim-remoteproc"
FILES:${PN} += "${datadir}/remoteproc-runtime ${nonarch_libdir}/tmpfiles.d"
FILES:containerd-shim-remoteproc = "${bindir}/containerd-shim-remoteproc-v1 \
    ${datadir}/remoteproc-runtime/adapters/containerd \
    ${datadir}/remoteproc-runtime/bootstrap/shim.py \
    ${datadir}/remoteproc-runtime/bootstrap/__pycache__/shim.*"
CONFFILES:${PN} = "${sysconfdir}/remoteproc-runtime/config.yaml"

# tests/unit/test_packaging.py compares these with what the modules import.
RDEPENDS:${PN} = "python3-click python3-compression python3-core python3-crypt python3-ctypes \
    python3-difflib python3-email python3-fcntl python3-io python3-json python3-mmap \
    python3-pyyaml python3-resource python3-terminal"
RDEPENDS:containerd-shim-remoteproc = "${PN} python3-protobuf"
