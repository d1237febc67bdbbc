/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RPMSG_PEER_H
#define RPMSG_PEER_H

#include <linux/remoteproc.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>

/* One direction: what struct vring does not know is how far the peer has come. */
struct rpmsg_ring {
	struct vring vring;
	u16 seen;
	int notifyid;
};

/* The firmware's end of rpmsg: see rpmsg_peer.c. */
struct rpmsg_peer {
	struct rproc *rproc;
	struct rproc_subdev subdev;
	bool joined;
	bool on;
	struct work_struct work;
	struct rpmsg_ring to_host, from_host;
	bool announced;
	u32 host;		/* the address of the host's end, 0 as long as it is unknown */
	size_t line_length;
	char line[80];
	size_t said_length;	/* of what is to be sent once the host has buffers */
	char said[0x4000];
};

int rpmsg_peer_init(struct rpmsg_peer *peer, struct rproc *rproc);
void rpmsg_peer_join(struct rpmsg_peer *peer);
void rpmsg_peer_leave(struct rpmsg_peer *peer);
void rpmsg_peer_kick(struct rpmsg_peer *peer);

#endif
