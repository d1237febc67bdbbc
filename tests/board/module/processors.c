// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated processors under the kernel's real remoteproc core.
 *
 * Each processor is a platform device "rproc_test.N" whose memory is one coherent buffer. Nothing
 * executes: what firmware would do (crash, print into its trace buffer) and what hardware would do
 * (start slowly, refuse) is asked for by the attributes of that device, which user space finds as
 * /sys/class/remoteproc/remoteprocM/device/.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/elf.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/remoteproc.h>

#include "rpmsg_peer.h"

#define MAX_PROCESSORS	16
#define MAX_REGIONS	4

static char *names[MAX_PROCESSORS] = { "m4", "m7" };
static unsigned int processors = 2;
module_param_array(names, charp, &processors, 0444);
MODULE_PARM_DESC(names, "one processor for each name (default m4,m7)");

static bool auto_boot[MAX_PROCESSORS];
module_param_array(auto_boot, bool, NULL, 0444);
MODULE_PARM_DESC(auto_boot, "for each processor: start it as soon as it is there");

static bool detached[MAX_PROCESSORS];
module_param_array(detached, bool, NULL, 0444);
MODULE_PARM_DESC(detached, "for each processor: a boot loader has started it already");

static unsigned int da[MAX_REGIONS] = { 0x00000000, 0x20000000 };
static unsigned int regions = 2;
module_param_array(da, uint, &regions, 0444);
MODULE_PARM_DESC(da, "device address of each memory region, the same in all processors");

static unsigned int size[MAX_REGIONS] = { 0x100000, 0x100000 };
module_param_array(size, uint, NULL, 0444);
MODULE_PARM_DESC(size, "size of each memory region in bytes (a missing one is empty)");

struct processor {
	struct rproc *rproc;
	void *memory;		/* the regions, one after another */
	unsigned int start_errno;
	unsigned int stop_errno;
	unsigned int start_delay_ms;
	int (*load_rsc_table)(struct rproc *rproc, const struct firmware *fw);
	struct rpmsg_peer rpmsg;
};

/* What a boot loader leaves in the memory of a processor that it started. */
struct loaded_table {
	struct resource_table header;
	u32 offset;
	struct fw_rsc_hdr entry;
	struct fw_rsc_trace trace;
} __packed;

#define LOADED_TRACE_OFFSET	0x1000
#define LOADED_TRACE_SIZE	0x1000

static void *test_da_to_va(struct rproc *rproc, u64 address, size_t len, bool *is_iomem)
{
	struct processor *p = rproc->priv;
	void *va = p->memory;
	unsigned int i;

	for (i = 0; i < regions; va += size[i++])
		if (address >= da[i] && len <= size[i] && address - da[i] <= size[i] - len)
			return va + (address - da[i]);
	return NULL;
}

static void add_coredump_segments(struct rproc *rproc)
{
	unsigned int i;

	for (i = 0; i < regions; i++)
		if (size[i])
			rproc_coredump_add_segment(rproc, da[i], size[i]);
}

static int test_parse_fw(struct rproc *rproc, const struct firmware *fw)
{
	struct processor *p = rproc->priv;

	/* As most drivers have it: firmware without a resource table is fine. */
	if (p->load_rsc_table(rproc, fw))
		dev_info(&rproc->dev, "no usable resource table\n");
	add_coredump_segments(rproc);
	return 0;
}

static int test_start(struct rproc *rproc)
{
	struct processor *p = rproc->priv;
	int error;

	msleep(READ_ONCE(p->start_delay_ms));
	error = READ_ONCE(p->start_errno);
	if (!error)
		rpmsg_peer_join(&p->rpmsg);
	return -error;
}

static int test_stop(struct rproc *rproc)
{
	struct processor *p = rproc->priv;
	int error = READ_ONCE(p->stop_errno);

	if (!error)
		rpmsg_peer_leave(&p->rpmsg);
	return -error;
}

static int test_attach(struct rproc *rproc)
{
	add_coredump_segments(rproc);
	return 0;
}

static int test_detach(struct rproc *rproc)
{
	return 0;
}

static void test_kick(struct rproc *rproc, int vqid)
{
	struct processor *p = rproc->priv;

	rpmsg_peer_kick(&p->rpmsg);
}

static struct resource_table *test_get_loaded_rsc_table(struct rproc *rproc, size_t *len)
{
	struct processor *p = rproc->priv;
	struct loaded_table *table = p->memory;

	if (!regions || size[0] < LOADED_TRACE_OFFSET + LOADED_TRACE_SIZE)
		return NULL;
	memset(table, 0, sizeof(*table));
	table->header.ver = 1;
	table->header.num = 1;
	table->offset = offsetof(struct loaded_table, entry);
	table->entry.type = RSC_TRACE;
	table->trace.da = da[0] + LOADED_TRACE_OFFSET;
	table->trace.len = LOADED_TRACE_SIZE;
	strscpy(table->trace.name, "boot loader", sizeof(table->trace.name));
	*len = sizeof(*table);
	return &table->header;
}

static const struct rproc_ops test_ops = {
	/* No .load: the core then adds its own ELF loader. */
	.start = test_start,
	.stop = test_stop,
	.attach = test_attach,
	.detach = test_detach,
	.kick = test_kick,
	.da_to_va = test_da_to_va,
	.get_loaded_rsc_table = test_get_loaded_rsc_table,
};

/* The first trace buffer that the running firmware's resource table names. */
static char *find_trace(struct rproc *rproc, size_t *len)
{
	struct resource_table *table = rproc->table_ptr;
	u32 i;

	for (i = 0; table && i < table->num; i++) {
		u32 offset = table->offset[i];
		struct fw_rsc_hdr *entry = (void *)table + offset;
		struct fw_rsc_trace *trace = (void *)entry->data;

		if (offset > rproc->table_sz - sizeof(*entry) - sizeof(*trace))
			return NULL;
		if (entry->type == RSC_TRACE) {
			*len = trace->len;
			return test_da_to_va(rproc, trace->da, trace->len, NULL);
		}
	}
	return NULL;
}

/* Print as firmware does: after what is there, from the beginning again when the buffer is full. */
static ssize_t trace_store(struct device *dev, struct device_attribute *attr,
			   const char *text, size_t count)
{
	struct processor *p = dev_get_drvdata(dev);
	struct rproc *rproc = p->rproc;
	ssize_t result = count;
	size_t len, used;
	char *buffer;

	if (mutex_lock_interruptible(&rproc->lock))
		return -EINTR;
	buffer = find_trace(rproc, &len);
	if (!buffer) {
		result = -ENODEV;
	} else if (count >= len) {
		result = -ENOSPC;
	} else {
		used = strnlen(buffer, len);
		if (used + count >= len) {
			memset(buffer, 0, len);
			used = 0;
		}
		memcpy(buffer + used, text, count);
	}
	mutex_unlock(&rproc->lock);
	return result;
}
static DEVICE_ATTR_WO(trace);

static ssize_t crash_store(struct device *dev, struct device_attribute *attr,
			   const char *text, size_t count)
{
	static const char * const types[] = {
		[RPROC_MMUFAULT] = "mmufault",
		[RPROC_WATCHDOG] = "watchdog",
		[RPROC_FATAL_ERROR] = "fatal",
	};
	struct processor *p = dev_get_drvdata(dev);
	int type = sysfs_match_string(types, text);

	if (type < 0)
		return type;
	rproc_report_crash(p->rproc, type);
	return count;
}
static DEVICE_ATTR_WO(crash);

#define NUMBER_ATTR(_name, _max)							\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr,		\
			    char *text)							\
{											\
	struct processor *p = dev_get_drvdata(dev);					\
											\
	return sysfs_emit(text, "%u\n", READ_ONCE(p->_name));				\
}											\
static ssize_t _name##_store(struct device *dev, struct device_attribute *attr,	\
			     const char *text, size_t count)				\
{											\
	struct processor *p = dev_get_drvdata(dev);					\
	unsigned int value;								\
	int error = kstrtouint(text, 0, &value);					\
											\
	if (error)									\
		return error;								\
	if (value > (_max))								\
		return -ERANGE;								\
	WRITE_ONCE(p->_name, value);							\
	return count;									\
}											\
static DEVICE_ATTR_RW(_name)

NUMBER_ATTR(start_errno, MAX_ERRNO);
NUMBER_ATTR(stop_errno, MAX_ERRNO);
NUMBER_ATTR(start_delay_ms, 60000);

static struct attribute *test_attrs[] = {
	&dev_attr_start_errno.attr,
	&dev_attr_stop_errno.attr,
	&dev_attr_start_delay_ms.attr,
	&dev_attr_trace.attr,
	&dev_attr_crash.attr,
	NULL,
};
ATTRIBUTE_GROUPS(test);

static int test_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	size_t total = 0;
	dma_addr_t dma;
	struct processor *p;
	struct rproc *rproc;
	unsigned int i;
	int error;

	rproc = devm_rproc_alloc(dev, names[pdev->id], &test_ops, NULL, sizeof(*p));
	if (!rproc)
		return -ENOMEM;
	p = rproc->priv;
	p->rproc = rproc;
	platform_set_drvdata(pdev, p);

	p->load_rsc_table = rproc->ops->parse_fw;
	rproc->ops->parse_fw = test_parse_fw;

	error = rpmsg_peer_init(&p->rpmsg, rproc);
	if (error)
		return error;
	error = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(32));
	if (error)
		return error;
	for (i = 0; i < regions; i++)
		total += PAGE_ALIGN(size[i]);
	p->memory = dmam_alloc_coherent(dev, total, &dma, GFP_KERNEL);
	if (!p->memory)
		return -ENOMEM;

	error = rproc_coredump_set_elf_info(rproc, ELFCLASS32, EM_ARM);
	if (error)
		return error;
	rproc->auto_boot = auto_boot[pdev->id];
	if (detached[pdev->id])
		rproc->state = RPROC_DETACHED;
	return devm_rproc_add(dev, rproc);
}

static struct platform_driver test_driver = {
	.probe = test_probe,
	.driver = {
		.name = "rproc_test",
		.dev_groups = test_groups,
	},
};

static struct platform_device *devices[MAX_PROCESSORS];

static void unregister_all(void)
{
	int i;

	for (i = MAX_PROCESSORS - 1; i >= 0; i--)
		if (devices[i])
			platform_device_unregister(devices[i]);
	platform_driver_unregister(&test_driver);
}

static int __init test_init(void)
{
	int error = platform_driver_register(&test_driver);
	unsigned int i;

	if (error)
		return error;
	for (i = 0; i < processors; i++) {
		struct platform_device *pdev =
			platform_device_register_simple("rproc_test", i, NULL, 0);

		if (IS_ERR(pdev)) {
			unregister_all();
			return PTR_ERR(pdev);
		}
		devices[i] = pdev;
	}
	return 0;
}
module_init(test_init);
module_exit(unregister_all);

MODULE_DESCRIPTION("Simulated processors for tests of remoteproc user space");
MODULE_LICENSE("GPL");
