package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

const (
	// maxQuestion bounds a question in bytes. Envoy takes 60 KiB of headers unless told otherwise.
	maxQuestion = 256 << 10

	// stopWithin is how long questions that have been asked may take when the program stops.
	stopWithin = 10 * time.Second
)

// serve answers at a listener until ctx ends, and then finishes what has begun.
func serve(ctx context.Context, l net.Listener, d *door, log *slog.Logger) error {
	s := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxQuestion),
		grpc.MaxHeaderListSize(64<<10),
		grpc.ConnectionTimeout(10*time.Second),
		// An Envoy that is gone without a word is noticed, and one that looks whether we are is let.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: 5 * time.Second, PermitWithoutStream: true,
		}),
	)
	auth.RegisterAuthorizationServer(s, d)
	alive := health.NewServer()
	alive.SetServingStatus(auth.Authorization_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(s, alive)

	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	alive.Shutdown()
	timer := time.AfterFunc(stopWithin, s.Stop)
	defer timer.Stop()
	s.GracefulStop()
	return <-ended
}

// listen takes an address of the network, or unix:PATH.
func listen(address string) (net.Listener, error) {
	path, isSocket := strings.CutPrefix(address, "unix:")
	if !isSocket {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listening at %s: %w", address, err)
		}
		return l, nil
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", address, err)
	}
	return l, nil
}

// removeStale removes a socket that a program left behind when it was killed, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil // nothing is there, or what net.Listen will complain about
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("another program listens at %s", path)
	}
	return os.Remove(path)
}
