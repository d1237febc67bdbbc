// SPDX-License-Identifier: GPL-2.0-only
/*
 * The far end of rpmsg, as firmware with a console would play it (firmware/programs/echo.c).
 *
 * It takes part when the firmware's resource table has a virtio device for rpmsg. The kernel's own
 * drivers (remoteproc_virtio, virtio_rpmsg_bus, rpmsg_tty) are at the other end of the two rings.
 * Rings and messages are little-endian: the virtio device is a legacy one, of a little-endian host.
 */
#include <linux/io.h>
#include <linux/rpmsg/ns.h>
#include <linux/string.h>
#include <linux/virtio_ids.h>

#include "rpmsg_peer.h"

/* Exported, but declared in drivers/remoteproc only. */
irqreturn_t rproc_vq_interrupt(struct rproc *rproc, int notifyid);

#define CONSOLE		0x1e	/* our address; any will do */
#define LARGEST_ANSWER	0x2000	/* more than a message can make echo() say */

/* As in virtio_rpmsg_bus.c, which keeps it to itself. */
struct message {
	u32 src;
	u32 dst;
	u32 reserved;
	u16 len;
	u16 flags;
	u8 data[];
} __packed;

/* The oldest buffer that the host has offered, or NULL. */
static struct vring_desc *offered(struct rpmsg_ring *ring)
{
	struct vring *vring = &ring->vring;

	if (ring->seen == READ_ONCE(*(u16 *)&vring->avail->idx))
		return NULL;
	rmb(); /* the entry was written before the index */
	return &vring->desc[*(u16 *)&vring->avail->ring[ring->seen % vring->num] % vring->num];
}

/* Give that buffer back, with so many bytes in it. */
static void give_back(struct rpmsg_ring *ring, struct vring_desc *desc, u32 length)
{
	struct vring *vring = &ring->vring;
	vring_used_elem_t *used = &vring->used->ring[ring->seen % vring->num];

	*(u32 *)&used->id = desc - vring->desc;
	*(u32 *)&used->len = length;
	wmb(); /* the entry is to be seen before the index */
	WRITE_ONCE(*(u16 *)&vring->used->idx, ++ring->seen);
}

static struct message *content(struct vring_desc *desc)
{
	return phys_to_virt(*(u64 *)&desc->addr);
}

static bool send(struct rpmsg_peer *peer, u32 to, const void *data, size_t length)
{
	struct vring_desc *desc = offered(&peer->to_host);
	struct message *message;

	if (!desc)
		return false;
	message = content(desc);
	*message = (struct message){ .src = CONSOLE, .dst = to, .len = length };
	memcpy(message->data, data, length);
	give_back(&peer->to_host, desc, sizeof(*message) + length);
	return true;
}

/* What a tty's driver waits for; its own address is not known before it has written something. */
static bool announce(struct rpmsg_peer *peer)
{
	struct rpmsg_ns_msg service = { .name = "rpmsg-tty" };

	*(u32 *)&service.addr = CONSOLE;
	*(u32 *)&service.flags = RPMSG_NS_CREATE;
	return send(peer, RPMSG_NS_ADDR, &service, sizeof(service));
}

static void say(struct rpmsg_peer *peer, const char *text, size_t length)
{
	length = min(length, sizeof(peer->said) - peer->said_length);
	memcpy(peer->said + peer->said_length, text, length);
	peer->said_length += length;
}

/* Send as much of it as the host has buffers for. */
static void send_said(struct rpmsg_peer *peer)
{
	size_t piece, sent = 0;

	while (sent < peer->said_length) {
		piece = min(peer->said_length - sent, (size_t)256);
		if (!send(peer, peer->host, peer->said + sent, piece))
			break;
		sent += piece;
	}
	peer->said_length -= sent;
	memmove(peer->said, peer->said + sent, peer->said_length);
}

static void echo(struct rpmsg_peer *peer, const char *text, size_t length)
{
	while (length--) {
		char c = *text++;

		if (c != '\n' && c != '\r') {
			say(peer, &c, 1);
			if (peer->line_length < sizeof(peer->line))
				peer->line[peer->line_length++] = c;
			continue;
		}
		say(peer, "\nyou said: ", 11);
		say(peer, peer->line, peer->line_length);
		say(peer, "\n> ", 3);
		peer->line_length = 0;
	}
}

static void listen(struct rpmsg_peer *peer)
{
	struct vring_desc *desc;

	while (peer->said_length <= sizeof(peer->said) - LARGEST_ANSWER &&
	       (desc = offered(&peer->from_host))) {
		struct message *message = content(desc);

		if (!peer->host) {
			peer->host = message->src;
			say(peer, "> ", 2);
		}
		if (message->dst == CONSOLE)
			echo(peer, message->data, message->len);
		give_back(&peer->from_host, desc, 0);
	}
}

static void peer_work(struct work_struct *work)
{
	struct rpmsg_peer *peer = container_of(work, struct rpmsg_peer, work);
	u16 before = peer->to_host.seen;

	if (!READ_ONCE(peer->on) || peer->rproc->state == RPROC_CRASHED)
		return;
	if (!peer->announced)
		peer->announced = announce(peer);
	listen(peer);
	send_said(peer);
	if (peer->to_host.seen != before)
		rproc_vq_interrupt(peer->rproc, peer->to_host.notifyid);
}

/* Where the core has put that ring for want of an address in the resource table. */
static bool find_ring(struct rpmsg_peer *peer, struct rproc_vdev *rvdev, int id,
		      struct rpmsg_ring *ring)
{
	struct rproc_vring *rvring = &rvdev->vring[id];
	struct rproc_mem_entry *mem;
	char name[32];

	snprintf(name, sizeof(name), "vdev%uvring%d", rvdev->index, id);
	list_for_each_entry(mem, &peer->rproc->carveouts, node)
		if (mem->va && !strcmp(mem->name, name)) {
			vring_init(&ring->vring, rvring->num, mem->va, rvring->align);
			ring->seen = 0;
			ring->notifyid = rvring->notifyid;
			return true;
		}
	return false;
}

static int peer_start(struct rproc_subdev *subdev)
{
	struct rpmsg_peer *peer = container_of(subdev, struct rpmsg_peer, subdev);
	struct rproc_vdev *rvdev;

	list_for_each_entry(rvdev, &peer->rproc->rvdevs, node)
		if (rvdev->id == VIRTIO_ID_RPMSG && rvdev->vring[0].vq && rvdev->vring[1].vq &&
		    find_ring(peer, rvdev, 0, &peer->to_host) &&
		    find_ring(peer, rvdev, 1, &peer->from_host)) {
			peer->announced = false;
			peer->host = peer->line_length = peer->said_length = 0;
			WRITE_ONCE(peer->on, true);
			schedule_work(&peer->work);
			break;
		}
	return 0;
}

static void peer_stop(struct rproc_subdev *subdev, bool crashed)
{
	struct rpmsg_peer *peer = container_of(subdev, struct rpmsg_peer, subdev);

	/* Work that a kick schedules after this finds that it is off. */
	WRITE_ONCE(peer->on, false);
	cancel_work_sync(&peer->work);
}

static void peer_gone(void *data)
{
	struct rpmsg_peer *peer = data;

	peer_stop(&peer->subdev, false);
}

/* To be called before rproc_add(): what is undone in reverse order is then safe from kicks. */
int rpmsg_peer_init(struct rpmsg_peer *peer, struct rproc *rproc)
{
	peer->rproc = rproc;
	peer->subdev.start = peer_start;
	peer->subdev.stop = peer_stop;
	INIT_WORK(&peer->work, peer_work);
	return devm_add_action_or_reset(rproc->dev.parent, peer_gone, peer);
}

/*
 * For the driver's start(). The core has made a subdevice of the virtio device by then; one that
 * joins after it is started after it, and stopped before it: rings and buffers outlive the peer.
 */
void rpmsg_peer_join(struct rpmsg_peer *peer)
{
	if (!peer->joined)
		rproc_add_subdev(peer->rproc, &peer->subdev);
	peer->joined = true;
}

/* For the driver's stop(), when it succeeds: one that fails is followed by another. */
void rpmsg_peer_leave(struct rpmsg_peer *peer)
{
	if (peer->joined)
		rproc_remove_subdev(peer->rproc, &peer->subdev);
	peer->joined = false;
}

/* For the driver's kick(), which must not sleep. */
void rpmsg_peer_kick(struct rpmsg_peer *peer)
{
	schedule_work(&peer->work);
}
